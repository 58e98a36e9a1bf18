//! Jobs: a report per recipient, nothing sent before it has begun, and the way back.

use std::time::{Duration, Instant};

use isthmus_gateway::{Address, JobId, State};
use isthmus_test_support::DEADLINE;

use super::bench::{Post, job};
use super::host::{Answer, Running};
use super::rules;

rules! {
    smtp_every_recipient_has_a_report: Smtp, every_recipient_has_a_report;
    sms_every_recipient_has_a_report: Sms, every_recipient_has_a_report;
    exec_every_recipient_has_a_report: Exec, every_recipient_has_a_report;
    loopback_every_recipient_has_a_report: Loopback, every_recipient_has_a_report;

    smtp_nothing_is_sent_before_it_has_begun: Smtp, nothing_is_sent_before_it_has_begun;
    sms_nothing_is_sent_before_it_has_begun: Sms, nothing_is_sent_before_it_has_begun;
    exec_nothing_is_sent_before_it_has_begun: Exec, nothing_is_sent_before_it_has_begun;
    loopback_nothing_is_sent_before_it_has_begun: Loopback, nothing_is_sent_before_it_has_begun;

    smtp_what_may_not_begin_is_not_sent: Smtp, what_may_not_begin_is_not_sent;
    sms_what_may_not_begin_is_not_sent: Sms, what_may_not_begin_is_not_sent;
    exec_what_may_not_begin_is_not_sent: Exec, what_may_not_begin_is_not_sent;
    loopback_what_may_not_begin_is_not_sent: Loopback, what_may_not_begin_is_not_sent;

    smtp_what_was_recalled_is_not_sent: Smtp, what_was_recalled_is_not_sent;
    sms_what_was_recalled_is_not_sent: Sms, what_was_recalled_is_not_sent;
    exec_what_was_recalled_is_not_sent: Exec, what_was_recalled_is_not_sent;
    loopback_what_was_recalled_is_not_sent: Loopback, what_was_recalled_is_not_sent;

    smtp_a_recalled_job_has_no_reports: Smtp, a_recalled_job_has_no_reports;
    sms_a_recalled_job_has_no_reports: Sms, a_recalled_job_has_no_reports;
    exec_a_recalled_job_has_no_reports: Exec, a_recalled_job_has_no_reports;
    loopback_a_recalled_job_has_no_reports: Loopback, a_recalled_job_has_no_reports;

    smtp_drains_with_jobs_in_hand: Smtp, drains_with_jobs_in_hand;
    sms_drains_with_jobs_in_hand: Sms, drains_with_jobs_in_hand;
    exec_drains_with_jobs_in_hand: Exec, drains_with_jobs_in_hand;
    loopback_drains_with_jobs_in_hand: Loopback, drains_with_jobs_in_hand;

    smtp_drains_though_the_host_is_silent: Smtp, drains_though_the_host_is_silent;
    sms_drains_though_the_host_is_silent: Sms, drains_though_the_host_is_silent;
    exec_drains_though_the_host_is_silent: Exec, drains_though_the_host_is_silent;
    loopback_drains_though_the_host_is_silent: Loopback, drains_though_the_host_is_silent;
}

/// Accepted or more.
fn sent(state: &State) -> bool {
    matches!(state, State::Accepted | State::Delivered | State::Read)
}

fn failed(state: &State) -> bool {
    matches!(state, State::Failed(_))
}

/// A job that ends, so that all before it has had its time: that of a recipient who let those
/// before wait, too.
async fn barrier<B: Post>(running: &Running, id: u64, to: Address) {
    running.submit(job::<B>(id, &[to], "barrier"));
    running.host.until(id, 0, sent).await;
}

fn count<B: Post>(bench: &B, body: &str) -> Option<usize> {
    let arrived = bench.arrived()?;
    Some(arrived.iter().filter(|text| text.contains(body)).count())
}

async fn every_recipient_has_a_report<B: Post>() {
    let bench = B::start().await;
    let running = Running::start(bench.gateway());
    let to = [B::good(), B::refused(), B::bad(), B::good()];
    running.submit(job::<B>(1, &to, "hello"));
    running.host.until(1, 0, sent).await;
    running.host.until(1, 1, failed).await;
    running.host.until(1, 2, failed).await;
    running.host.until(1, 3, sent).await;
    running.host.until_begun(1, 0).await;
    running.host.until_begun(1, 3).await;
    let begun: Vec<_> = running.host.begun.log();
    assert!(!begun.contains(&(JobId(1), 2)), "refused here, and begun");
    if let Some(count) = count(&bench, "hello") {
        // Some networks see a message before they refuse it.
        assert!((2..=3).contains(&count), "{count}");
    }
}

async fn nothing_is_sent_before_it_has_begun<B: Post>() {
    let bench = B::start().await;
    let running = Running::start(bench.gateway());
    running.host.answer.send_replace(Answer::Wait);
    running.submit(job::<B>(1, &[B::good()], "hello"));
    running.host.until_begun(1, 0).await;
    // It is at its point of no return: it cannot be taken back here any more.
    assert!(
        !running.courier().recall(JobId(1)).await,
        "taken back too late"
    );
    assert_eq!(count(&bench, "hello").unwrap_or_default(), 0);
    assert!(running.host.reports.log().is_empty());
    running.host.answer.send_replace(Answer::Yes);
    running.host.until(1, 0, sent).await;
    assert!(
        !running.courier().recall(JobId(1)).await,
        "taken back when sent"
    );
    assert_eq!(count(&bench, "hello").unwrap_or(1), 1);
}

async fn what_may_not_begin_is_not_sent<B: Post>() {
    let bench = B::start().await;
    let running = Running::start(bench.gateway());
    running.host.answer.send_replace(Answer::No);
    running.submit(job::<B>(1, &[B::good(), B::good()], "hello"));
    running.host.until_begun(1, 0).await;
    running.host.until_begun(1, 1).await;
    running.host.answer.send_replace(Answer::Yes);
    barrier::<B>(&running, 2, B::good()).await;
    assert_eq!(count(&bench, "hello").unwrap_or_default(), 0);
    let of_it = running
        .host
        .states()
        .into_keys()
        .filter(|copy| copy.0 == JobId(1));
    assert_eq!(of_it.count(), 0, "the host has taken it back");
}

async fn what_was_recalled_is_not_sent<B: Post>() {
    let bench = B::start().await;
    let to = bench.stall();
    let running = Running::start(bench.gateway());
    assert!(
        !running.courier().recall(JobId(9)).await,
        "there is no such job"
    );
    running.submit(job::<B>(1, &[to.clone(), to.clone()], "hello"));
    assert!(running.courier().recall(JobId(1)).await, "it has not begun");
    bench.release().await;
    barrier::<B>(&running, 2, to).await;
    assert_eq!(count(&bench, "hello").unwrap_or_default(), 0);
    let copies: Vec<_> = running.host.states().into_keys().collect();
    assert_eq!(
        copies,
        [(JobId(2), 0)],
        "the job that was taken back is over"
    );
    assert!(!running.courier().recall(JobId(1)).await, "it is over");
    assert!(!running.courier().recall(JobId(2)).await, "it is sent");
}

/// What is taken back is over: a fault that is found later is nobody's.
async fn a_recalled_job_has_no_reports<B: Post>() {
    let bench = B::start().await;
    let stalled = bench.stall();
    let running = Running::start(bench.gateway());
    let to = [stalled.clone(), B::refused(), B::bad()];
    running.submit(job::<B>(1, &to, "hello"));
    let recalled = running.courier().recall(JobId(1)).await;
    bench.release().await;
    barrier::<B>(&running, 2, stalled).await;
    let states = running.host.states();
    let of_it = states.keys().filter(|copy| copy.0 == JobId(1)).count();
    if recalled {
        assert_eq!(of_it, 0, "taken back and reported: {states:?}");
    } else {
        for to in 0..3 {
            running.host.until(1, to, |_| true).await;
        }
    }
}

/// A gateway with jobs in hand, and their host: one past its beginning, which the host does not
/// answer yet, and one that waits where the network can be made to. That it is in hand is told by
/// the recipient whom the gateway refuses by itself.
async fn in_hand<B: Post>() -> (B, Running) {
    let bench = B::start().await;
    let running = Running::start(bench.gateway());
    running.host.answer.send_replace(Answer::Wait);
    running.submit(job::<B>(1, &[B::good()], "hello"));
    running.host.until_begun(1, 0).await;
    let to = [B::bad(), bench.stall(), B::good()];
    running.submit(job::<B>(2, &to, "hello"));
    running.host.until(2, 0, failed).await;
    (bench, running)
}

/// It ends by then, or within a second of it.
async fn ends_by<B: Post>(running: &mut Running, until: Instant) {
    let ended = tokio::time::timeout(DEADLINE, &mut running.task).await;
    let ended = ended.expect("in time").expect("without a panic");
    assert_eq!(ended, Ok(()));
    let late = Instant::now().saturating_duration_since(until);
    assert!(late < Duration::from_secs(1), "{late:?} late");
    // A job that comes too late hurts nobody.
    running.submit(job::<B>(3, &[B::good()], "hello"));
}

async fn drains_with_jobs_in_hand<B: Post>() {
    let (_bench, mut running) = in_hand::<B>().await;
    let until = Instant::now() + Duration::from_secs(2);
    running.gateway.drain(until);
    running.host.answer.send_replace(Answer::Yes);
    ends_by::<B>(&mut running, until).await;
}

async fn drains_though_the_host_is_silent<B: Post>() {
    let (_bench, mut running) = in_hand::<B>().await;
    let until = Instant::now() + Duration::from_secs(2);
    running.gateway.drain(until);
    ends_by::<B>(&mut running, until).await;
}
