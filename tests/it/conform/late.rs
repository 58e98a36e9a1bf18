//! Answers that come twice or late end what they answer, once, and nothing else.

use isthmus_gateway::{Close, Command, FaultKind, JobId, Outgoing, Place, State};

use super::bench::{Live, Post, job};
use super::host::Running;
use super::rules;

rules! {
    smtp_doubled_answers_move_a_copy_forward: Smtp, doubled_answers_move_a_copy_forward;
    sms_doubled_answers_move_a_copy_forward: Sms, doubled_answers_move_a_copy_forward;
    exec_doubled_answers_move_a_copy_forward: Exec, doubled_answers_move_a_copy_forward;
    loopback_doubled_answers_move_a_copy_forward: Loopback, doubled_answers_move_a_copy_forward;

    irc_doubled_answers_end_no_other_command: Irc, doubled_answers_end_no_other_command;
    exec_doubled_answers_end_no_other_command: Exec, doubled_answers_end_no_other_command;
    loopback_doubled_answers_end_no_other_command: Loopback, doubled_answers_end_no_other_command;
}

/// The job behind one that is answered twice has its own outcome: the one its peer gave it.
async fn doubled_answers_move_a_copy_forward<B: Post>() {
    let bench = B::start().await;
    let running = Running::start(bench.gateway());
    for round in 0..3 {
        let (first, second, third) = (10 * round + 1, 10 * round + 2, 10 * round + 3);
        running.submit(job::<B>(first, &[B::doubled()], "doubled"));
        running
            .host
            .until(first, 0, |state| !matches!(state, State::Retry { .. }))
            .await;
        running.submit(job::<B>(second, &[B::refused()], "refused"));
        running.submit(job::<B>(third, &[B::good()], "good"));
        running.host.until(second, 0, |_| true).await;
        running.host.until(third, 0, |_| true).await;
        let states = running.host.states();
        let of = |id| &states[&(JobId(id), 0)];
        let refused = matches!(of(second), State::Failed(_) | State::Retry { .. });
        assert!(refused, "{:?}", of(second));
        let good = !matches!(of(third), State::Failed(_));
        assert!(good, "{:?}", of(third));
        let first = matches!(of(first), State::Accepted | State::Delivered);
        assert!(first, "{states:?}");
    }
}

/// The peer answers twice what it refuses; what was asked behind it goes well.
async fn doubled_answers_end_no_other_command<B: Live>() {
    let bench = B::start().await;
    let [open, full] = B::ROOMS.expect("a network with rooms");
    let mut driver = bench.online().await;
    let join = |room: &'static str| Command::Join {
        room: room.into(),
        nick: "juliet".into(),
        password: None,
    };
    for _ in 0..3 {
        let refused = driver.command(join(full));
        let entered = driver.command(join(open));
        let send = Outgoing::text(Place::Room(open.into()), "hello");
        let said = driver.command(Command::Send(send));
        assert_eq!(driver.ended(refused).await, Err(FaultKind::RoomFull));
        assert_eq!(driver.ended(entered).await, Ok(()));
        assert_eq!(driver.ended(said).await, Ok(()));
        let leave = Command::Leave {
            room: open.into(),
            reason: None,
        };
        let left = driver.command(leave);
        assert_eq!(driver.ended(left).await, Ok(()));
    }
    driver.close(Close::Left);
    driver.until_over().await;
}
