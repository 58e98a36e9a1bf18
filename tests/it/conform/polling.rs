//! Polls, deadlines and credit.

use isthmus_gateway::{Command, Credit, Outgoing, Place};

use super::bench::{Bench, Live};
use super::driver::{Driver, Told};
use super::rules;

rules! {
    irc_an_idle_session_asks_for_no_polls: Irc, an_idle_session_asks_for_no_polls;
    smtp_an_idle_session_asks_for_no_polls: Smtp, an_idle_session_asks_for_no_polls;
    sms_an_idle_session_asks_for_no_polls: Sms, an_idle_session_asks_for_no_polls;
    exec_an_idle_session_asks_for_no_polls: Exec, an_idle_session_asks_for_no_polls;
    loopback_an_idle_session_asks_for_no_polls: Loopback, an_idle_session_asks_for_no_polls;

    irc_a_deadline_that_has_passed_is_gone: Irc, a_deadline_that_has_passed_is_gone;
    exec_a_deadline_that_has_passed_is_gone: Exec, a_deadline_that_has_passed_is_gone;
    loopback_a_deadline_that_has_passed_is_gone: Loopback, a_deadline_that_has_passed_is_gone;

    irc_keeps_its_word_on_retries: Irc, keeps_its_word_on_retries;
    loopback_keeps_its_word_on_retries: Loopback, keeps_its_word_on_retries;

    irc_a_flood_keeps_to_its_credit: Irc, a_flood_keeps_to_its_credit;
    exec_a_flood_keeps_to_its_credit: Exec, a_flood_keeps_to_its_credit;
    loopback_a_flood_keeps_to_its_credit: Loopback, a_flood_keeps_to_its_credit;
    bare_loopback_a_flood_keeps_to_its_credit: Bare, a_flood_keeps_to_its_credit;

    irc_holding_tells_ends_only: Irc, holding_tells_ends_only;
    exec_holding_tells_ends_only: Exec, holding_tells_ends_only;
    loopback_holding_tells_ends_only: Loopback, holding_tells_ends_only;

    irc_holding_loses_nothing_at_a_break: Irc, holding_loses_nothing_at_a_break;
    exec_holding_loses_nothing_at_a_break: Exec, holding_loses_nothing_at_a_break;
    loopback_holding_loses_nothing_at_a_break: Loopback, holding_loses_nothing_at_a_break;
}

/// Most polls of a session at rest in the time that is waited; the host has its own reasons, too.
const FEW: usize = 5;

const LINES: usize = 50;

fn lines() -> Vec<String> {
    (1..=LINES).map(|line| format!("line {line}")).collect()
}

/// Polls until nothing is left to be told.
async fn settle(driver: &mut Driver) {
    driver
        .when("tried", |told| told.has("online") || told.has("offline"))
        .await;
    driver.idle(200).await;
}

async fn an_idle_session_asks_for_no_polls<B: Bench>() {
    let bench = B::start().await;
    let mut driver = bench.open();
    settle(&mut driver).await;
    let before = (driver.polls, driver.told.events.len());
    driver.idle(300).await;
    let polls = driver.polls - before.0;
    assert!(polls <= FEW, "{polls} polls of an idle session");
    // One that was not asked for changes nothing.
    let deadline = driver.deadline();
    for _ in 0..100 {
        driver.poll_now();
    }
    assert_eq!(driver.told.events.len(), before.1);
    assert_eq!(driver.deadline(), deadline, "polls move the deadline");
}

/// However far the clock goes, a session does what is due and then waits for something else.
async fn a_deadline_that_has_passed_is_gone<B: Live>() {
    let bench = B::start().await;
    for network in [Some(B::NETWORK), Some(B::DOWN), B::MUTE]
        .into_iter()
        .flatten()
    {
        let mut driver = bench.open_on(network);
        let to = Place::Contact("bob".into());
        driver.command(Command::Send(Outgoing::text(to, "hello")));
        driver.idle(100).await;
        for _ in 0..20 {
            let Some(deadline) = driver.deadline() else {
                break;
            };
            driver.skip_to(deadline);
            let before = driver.polls;
            driver.idle(20).await;
            let polls = driver.polls - before;
            assert!(polls <= 40, "{polls} polls for one deadline on {network}");
            let next = driver.deadline();
            assert!(
                next.is_none_or(|next| next > deadline),
                "it stands still on {network}"
            );
        }
        assert_eq!(driver.told.open(), 0, "open for ever on {network}");
    }
}

async fn keeps_its_word_on_retries<B: Live>() {
    let bench = B::start().await;
    let mut driver = bench.open_on(B::DOWN);
    driver.until("offline").await;
    for tries in 2..6 {
        let retry = driver
            .told
            .events
            .iter()
            .rev()
            .find_map(|it| it["retry"].as_u64());
        let wait = std::time::Duration::from_millis(retry.expect("it will be tried again"));
        let deadline = driver.deadline().expect("it will be tried again");
        let left = deadline.saturating_duration_since(driver.now());
        assert!(
            left <= wait && wait < left + std::time::Duration::from_secs(1),
            "{wait:?}, {left:?}"
        );
        driver.skip_to(deadline);
        let offline = |told: &Told| {
            let offline = told.events.iter().filter(|it| it["type"] == "offline");
            offline.count() == tries
        };
        driver.when("tried again", offline).await;
    }
}

async fn a_flood_keeps_to_its_credit<B: Live>() {
    for credit in [1, 2, 7] {
        let bench = B::start().await;
        let mut driver = bench.online().await;
        driver.credit = Credit::Events(credit);
        if let Some([open, _]) = B::ROOMS {
            driver.command(Command::Join {
                room: open.into(),
                nick: "juliet".into(),
                password: None,
            });
        }
        bench.flood(&mut driver, LINES, false);
        let all = |told: &Told| told.bodies().len() >= LINES;
        driver.when("all said", all).await;
        assert_eq!(driver.told.bodies(), lines());
    }
}

async fn holding_tells_ends_only<B: Live>() {
    let bench = B::start().await;
    let mut driver = bench.online().await;
    driver.idle(100).await;
    let known = driver.told.events.len();
    driver.credit = Credit::Hold;
    bench.flood(&mut driver, LINES, false);
    driver.idle(300).await;
    assert_eq!(driver.told.bodies(), Vec::<&str>::new());
    let ends = driver.told.events[known..].iter();
    let ends = ends.filter(|it| it["type"] != "done" && it["type"] != "echo");
    assert_eq!(ends.count(), 0);
    driver.credit = Credit::Events(64);
    driver
        .when("all said", |told| told.bodies().len() >= LINES)
        .await;
    driver.until_ended().await;
    assert_eq!(driver.told.bodies(), lines());
}

async fn holding_loses_nothing_at_a_break<B: Live>() {
    let bench = B::start().await;
    let mut driver = bench.online().await;
    driver.idle(100).await;
    driver.credit = Credit::Hold;
    bench.flood(&mut driver, LINES, true);
    driver.idle(300).await;
    assert!(!driver.told.has("offline"), "told while it was to hold");
    driver.credit = Credit::Events(64);
    driver.until("offline").await;
    assert_eq!(driver.told.bodies(), lines());
}
