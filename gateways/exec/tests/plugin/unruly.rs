//! Plugins that are slow, silent, mad or dead.

use std::path::Path;
use std::time::{Duration, Instant};

use isthmus_gateway::{Credit, FaultKind, Gateway, Outcome};

use crate::support::{DEADLINE, Driver, Nest};

/// Says back what it is told, and does as it is told.
const OBEDIENT: &str = r#"
hello()
def command(m, session, body):
    if body == "die": os._exit(3)
    if body == "answer and die": answer(m); os._exit(3)
    if body == "twice": answer(m)
    if body == "nonsense": raw("what?\n[1]\n{}\n\xff\n" + '{"id":99999,"result":{}}\n' + '{"method":"hum"}\n')
    if body == "huge": raw('{"method":"' + "x" * (3 << 20) + '"}\n')
    if body == "flood": raw('{"method":"hum","params":{"x":"' + "y" * 500 + '"}}\n' * 20000)
    if body == "unfinished": raw('{"id":'); os._exit(0)
    said(session, body); answer(m)
serve(command)
"#;

#[tokio::test]
async fn a_plugin_that_ends_in_mid_command_ends_it_once_and_is_started_again() {
    let nest = Nest::new();
    let exec = nest.start(nest.script(OBEDIENT)).await;
    let mut juliet = Driver::online(&exec).await;
    let tag = juliet.say("bob", "die");
    let done = juliet.next().await;
    assert_eq!(done["type"], "done");
    assert_eq!(done["tag"], tag.0);
    assert_eq!(done["result"]["Err"]["kind"], "network_down");
    let offline = juliet.next().await;
    assert_eq!(offline["type"], "offline");
    assert!(offline["retry"].as_u64().is_some_and(|wait| wait >= 1000));
    assert_eq!(juliet.next().await["type"], "online");
    let tag = juliet.say("bob", "again");
    assert_eq!(juliet.heard().await, "again");
    assert_eq!(juliet.ended(tag).await, Ok(Outcome::Accepted));
}

#[tokio::test]
async fn what_a_plugin_wrote_just_before_its_end_still_counts() {
    let nest = Nest::new();
    let exec = nest.start(nest.script(OBEDIENT)).await;
    let mut juliet = Driver::online(&exec).await;
    let tag = juliet.say("bob", "answer and die");
    let done = juliet.next().await;
    assert_eq!(done["tag"], tag.0);
    assert_eq!(done["result"]["Ok"], "accepted");
    assert_eq!(juliet.next().await["type"], "offline");
    juliet.say("bob", "unfinished");
    juliet.wait("online").await;
    juliet.say("bob", "unfinished");
    assert_eq!(juliet.next().await["type"], "done");
    assert_eq!(juliet.next().await["type"], "offline");
}

#[tokio::test]
async fn nonsense_hurts_nobody() {
    let nest = Nest::new();
    let exec = nest.start(nest.script(OBEDIENT)).await;
    let mut juliet = Driver::online(&exec).await;
    for body in ["nonsense", "huge", "twice", "flood", "sane"] {
        let tag = juliet.say("bob", body);
        let mut kinds = [juliet.next().await, juliet.next().await];
        kinds.sort_by_key(|event| event["type"] == "done");
        assert_eq!(kinds[0]["body"], body);
        assert_eq!(kinds[1]["tag"], tag.0, "{body}");
        assert_eq!(kinds[1]["result"]["Ok"], "accepted", "{body}");
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_served_is_said_in_words() {
    for (body, words) in [
        ("sys.exit(7)", "exit status: 7"),
        ("raw('hello\\n'); time.sleep(600)", "makes no sense"),
        (
            "m = read(); write(id=m['id'], error={'code': 1, 'message': 'no licence'}); read()",
            "no licence",
        ),
        (
            "m = read(); answer(m, {'protocol': 1, 'name': 'x', 'address': 'call'}); read()",
            "templates",
        ),
    ] {
        let nest = Nest::new();
        let why = nest.try_start(nest.script(body)).await.err();
        let why = why.unwrap_or_else(|| panic!("it starts: {body}"));
        assert!(why.contains(words), "{why}");
        assert!(why.contains("plugin.py"), "{why}");
    }
    let nest = Nest::new();
    let config = isthmus_exec::Config::new(vec!["/no/such/program".into()]);
    let why = nest.try_start(config).await.err();
    assert!(why.is_some_and(|why| why.contains("/no/such/program")));
}

#[tokio::test(start_paused = true)]
async fn a_silent_program_is_given_ten_seconds() {
    let nest = Nest::new();
    let began = tokio::time::Instant::now();
    let why = nest.try_start(nest.script("time.sleep(600)")).await.err();
    assert!(why.is_some_and(|why| why.contains("within 10 s")));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_plugin_that_falls_silent_is_killed_after_two_pings() {
    let nest = Nest::new();
    let body = r#"
hello()
m = read(); answer(m); online(m["params"]["session"]); said(m["params"]["session"], str(os.getpid()))
time.sleep(600)
"#;
    let exec = nest.start(nest.script(body)).await;
    let mut juliet = Driver::online(&exec).await;
    let pid = juliet.heard().await;
    // From here on nothing happens but timers.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(juliet.whenever().await["type"], "offline");
    assert!((60..=120).contains(&began.elapsed().as_secs()));
    gone(&[pid]).await;
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_given_a_rest_and_its_users_are_told() {
    let nest = Nest::new();
    let mut config = nest.script(OBEDIENT);
    config.restart_limit = 2;
    config.restart_pause = Duration::from_secs(4);
    let exec = nest.start(config).await;
    let mut juliet = Driver::online(&exec).await;
    juliet.say("bob", "die");
    let first = juliet.wait("offline").await;
    assert!(
        first["fault"]["text"]["en"]
            .as_str()
            .is_some_and(|text| text.contains("started again"))
    );
    juliet.wait("online").await;
    juliet.say("bob", "die");
    let second = juliet.wait("offline").await;
    assert!(
        second["fault"]["text"]["en"]
            .as_str()
            .is_some_and(|text| text.contains("operator"))
    );
    assert!(second["retry"].as_u64().is_some_and(|wait| wait >= 4000));
    juliet.wait("online").await;
}

#[tokio::test]
async fn a_flood_of_events_stops_at_the_credit_and_loses_nothing() {
    let nest = Nest::new();
    let mut config = nest.script(
        r#"
hello()
credit = {}
def opened(session):
    online(session); credit[session] = 15
left = list(range(1000))
def pour(session):
    while left and credit[session] > 0:
        credit[session] -= 1; said(session, str(left.pop(0)))
def command(m, session, body): answer(m); pour(session)
def other(m):
    if m.get("method") == "session.credit":
        credit[m["params"]["session"]] += m["params"]["events"]; pour(m["params"]["session"])
    elif "id" in m: answer(m)
serve(command, opened, other)
"#,
    );
    config.credit = 16;
    let exec = nest.start(config).await;
    let mut juliet = Driver::online(&exec).await;
    let tag = juliet.say("bob", "pour");
    let done = juliet.next_with(Credit::Hold).await;
    assert_eq!(done["tag"], tag.0, "the end of a command passes");
    for number in 0..1000 {
        assert_eq!(juliet.heard().await, number.to_string());
    }
}

#[tokio::test]
async fn a_flood_beyond_the_credit_closes_the_session_and_no_other() {
    let nest = Nest::new();
    let mut config = nest.script(
        r#"
hello()
def command(m, session, body):
    for _ in range(2000 if body == "flood" else 1): said(session, body)
    answer(m)
serve(command)
"#,
    );
    config.credit = 16;
    let exec = nest.start(config).await;
    let (mut juliet, mut nurse) = (Driver::online(&exec).await, Driver::online(&exec).await);
    juliet.say("bob", "flood");
    nurse.say("bob", "hello");
    assert_eq!(nurse.heard().await, "hello");
    let offline = juliet.wait("offline").await;
    assert_eq!(offline["fault"]["kind"], "full");
    nurse.say("bob", "still here");
    assert_eq!(nurse.heard().await, "still here");
}

#[tokio::test]
async fn a_plugin_that_reads_nothing_refuses_when_the_queue_is_full() {
    let nest = Nest::new();
    let body = "hello()\nm = read(); answer(m); online(m['params']['session'])\ntime.sleep(600)";
    let exec = nest.start(nest.script(body)).await;
    let mut juliet = Driver::online(&exec).await;
    let text = "x".repeat(900_000);
    let tags: Vec<_> = (0..40).map(|_| juliet.say("bob", &text)).collect();
    let done = juliet.wait("done").await;
    assert_eq!(done["result"]["Err"]["kind"], "full");
    assert!(
        done["tag"].as_u64() > Some(5) && done["tag"].as_u64() <= tags.last().map(|it| it.0.into())
    );
}

#[tokio::test]
async fn a_program_gets_only_what_it_needs() {
    let inherited = inherited();
    let _ours = std::fs::File::open("/dev/null").expect("it is there");
    let nest = Nest::new();
    let mut config = nest.script(
        r#"
params = hello()
def command(m, session, body):
    fds = os.listdir("/proc/self/fd")
    fds = sorted(int(fd) for fd in fds if os.path.exists("/proc/self/fd/" + fd))
    said(session, json.dumps({
        "env": sorted(os.environ), "fds": fds, "cwd": os.getcwd(), "leads": os.getpgrp() == os.getpid(),
        "config": params["config"], "spool": os.path.isdir(params["spool"]), "domain": params["domain"],
    }))
    answer(m)
serve(command)
"#,
    );
    config.env.insert("MODE".into(), "test".into());
    config.config.0.insert("password".into(), "hunter2".into());
    let exec = nest.start(config).await;
    let mut juliet = Driver::online(&exec).await;
    juliet.say("bob", "what do you have");
    let seen: serde_json::Value =
        serde_json::from_str(&juliet.heard().await).expect("its own JSON");
    let names: Vec<&str> = seen["env"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it.as_str())
        .collect();
    // Python adds LC_CTYPE by itself where no language is set (PEP 538).
    let known = ["PATH", "LANG", "TZ", "MODE", "LC_CTYPE"];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    assert!(names.contains(&"MODE") && names.contains(&"PATH"));
    let fds: Vec<u64> = seen["fds"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|fd| fd.as_u64())
        .filter(|fd| !inherited.contains(fd))
        .collect();
    assert_eq!(fds, [0, 1, 2]);
    assert!(
        seen["cwd"]
            .as_str()
            .is_some_and(|dir| Path::new(dir).ends_with("home"))
    );
    assert_eq!(seen["config"]["password"], "hunter2");
    assert_eq!(
        (&seen["leads"], &seen["spool"]),
        (&true.into(), &true.into())
    );
    assert_eq!(seen["domain"], "test.example");
}

#[tokio::test]
async fn a_plugin_that_ignores_shutdown_is_killed_with_all_it_started() {
    let nest = Nest::new();
    let body = r#"
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
hello()
def opened(session):
    online(session)
    child = subprocess.Popen(["sleep", "600"])
    said(session, f"{os.getpid()} {child.pid}")
def command(m, session, body): pass
while True:
    try: serve(command, opened)
    except BaseException: time.sleep(600)
"#;
    let exec = nest.start(nest.script(body)).await;
    let (host, _asked) = crate::support::Host::new();
    let running = tokio::spawn(exec.clone().start(host));
    let mut juliet = Driver::online(&exec).await;
    let pids: Vec<String> = juliet.heard().await.split(' ').map(str::to_owned).collect();
    assert!(pids.len() == 2 && pids.iter().all(alive));
    let tag = juliet.say("bob", "hello?");
    exec.drain(Instant::now() + Duration::from_secs(2));
    let ended = tokio::time::timeout(DEADLINE, running).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "{ended:?}");
    let fault = juliet.ended(tag).await.expect_err("nobody answered");
    assert_eq!(fault.kind, FaultKind::NetworkDown);
    assert_eq!(
        juliet.wait("offline").await["retry"],
        serde_json::Value::Null
    );
    gone(&pids).await;
}

#[tokio::test]
async fn a_gateway_that_is_dropped_takes_its_process_along() {
    let nest = Nest::new();
    let body = r#"
hello()
def opened(session): online(session); said(session, str(os.getpid()))
serve(lambda m, s, b: answer(m), opened)
"#;
    let exec = nest.start(nest.script(body)).await;
    let mut juliet = Driver::online(&exec).await;
    let pid = juliet.heard().await;
    assert!(Path::new("/proc").join(&pid).exists());
    drop(exec);
    assert_eq!(
        juliet.wait("offline").await["retry"],
        serde_json::Value::Null
    );
    gone(&[pid]).await;
}

/// Descriptors that whoever started us left open for everybody.
fn inherited() -> Vec<u64> {
    let entries = std::fs::read_dir("/proc/self/fdinfo").expect("proc is mounted");
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let info = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        if let (Some(flags), Some(number @ 3..)) = (flags, number)
            && flags & 0o2_000_000 == 0
        {
            found.push(number);
        }
    }
    found
}

fn alive(pid: &String) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// Waits until none of these processes is there: the killed take a moment.
async fn gone(pids: &[String]) {
    let end = Instant::now() + DEADLINE;
    while pids.iter().any(alive) {
        assert!(Instant::now() < end, "something survives");
        tokio::task::yield_now().await;
    }
}
