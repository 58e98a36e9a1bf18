//! A store-and-forward plugin as a process.

use std::sync::Arc;

use isthmus_gateway::{Address, Gateway, Job, JobId, Kind, Outgoing, Place, Report, State, Uplink};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::support::{Asked, DEADLINE, Host, Nest, juliet};

/// What becomes of a job is its text.
const POST: &str = r##"
spool = hello(courier=True, idempotent=IDEMPOTENT)["spool"]
number = 100
def ask(method, params):
    global number
    number += 1
    write(id=number, method=method, params=params)
    while True:
        m = read()
        if m.get("id") == number and "method" not in m: return m.get("result")
def deliver(body):
    return ask("host.deliver", {"batch": [{"user": 1, "dedup": body, "peer_kept": None,
        "peer": {"kind": "contact", "id": "bob", "network": ""},
        "message": {"at": {"contact": "bob"}, "who": {"nick": "bob"}, "body": body}}]})
def report(job, state): ask("report", {"job": job["id"], "to": 0, "keys": ["k"], "state": state})
died = os.path.join(spool, "died")
if os.path.exists(died): deliver("here again")
while True:
    m = read()
    if m.get("method") == "job":
        job = m["params"]
        body = job["message"]["body"]
        if body == "refuse":
            write(id=m["id"], error={"code": 1, "message": "no", "data": {"kind": "forbidden"}}); continue
        if body == "die" and not job["attempt"]:
            open(died, "w").close()
            os._exit(1)
        answer(m)
        if body == "wait": continue
        if not ask("host.begin", {"job": job["id"], "to": 0, "keys": ["k"]}): continue
        if body == "begin and die": os._exit(1)
        report(job, "accepted")
        if body == "keep":
            with open(os.path.join(spool, "f1"), "w") as file: file.write("bytes")
            os.symlink("/etc/hostname", os.path.join(spool, "link"))
            before = ask("host.kept", {"name": "cursor"})
            ask("host.keep", {"name": "cursor", "value": [7]})
            about = {"name": "a.png", "mime": "image/png"}
            body = json.dumps([before, ask("host.kept", {"name": "cursor"}),
                ask("host.store_blob", {**about, "file": "f1"})["url"], os.listdir(spool),
                [ask("host.store_blob", {**about, "file": bad}) for bad in ("../x", "link", "f1", ".")]])
        if body == "read":
            size = ask("host.read_blob", {"url": "kept:bytes", "file": "f2"})
            with open(os.path.join(spool, "f2")) as file: body = file.read()
            os.symlink("/nowhere/at/all", os.path.join(spool, "link"))
            bad = [("kept:x", name) for name in ("../x", "f2", "link", ".x", "", "a/b")]
            body = json.dumps([size, body, [ask("host.read_blob", {"url": url, "file": name})
                for url, name in bad + [("https://f.example/a", "f3")]], sorted(os.listdir(spool))])
        found = ask("host.find", {"handle": {"alias": "juliet"}, "from": job["to"][0]})
        stored = ask("host.deliver", {"batch": [
            {"user": found[0], "dedup": "d", "peer": job["to"][0], "peer_kept": None,
             "message": {"at": {"contact": "bob"}, "who": {"nick": "bob"}, "body": "re: " + body}},
            {"user": 99, "dedup": "d", "peer": job["to"][0], "peer_kept": None,
             "message": {"at": {"contact": "bob"}, "who": {"nick": "bob"}, "body": "nobody"}}]})
        assert stored == [{"stored": "fresh"}, {"refused": "unknown"}], stored
        report(job, "delivered")
    elif m.get("method") == "recall": write(id=m["id"], result=True)
    elif "method" in m and "id" in m: answer(m)
"##;

struct Bench {
    exec: Arc<isthmus_exec::Exec>,
    host: Arc<Host>,
    asked: UnboundedReceiver<Asked>,
    _nest: Nest,
}

impl Bench {
    async fn start(idempotent: bool) -> Self {
        let nest = Nest::new();
        let python = if idempotent { "True" } else { "False" };
        let exec = nest
            .start(nest.script(&POST.replace("IDEMPOTENT", python)))
            .await;
        let (host, asked) = Host::new();
        tokio::spawn(exec.clone().start(host.clone()));
        Self {
            exec,
            host,
            asked,
            _nest: nest,
        }
    }

    fn submit(&self, body: &str, attempt: u16) {
        let bob = Address::new(Kind::Contact, "bob", "");
        let courier = self.exec.courier().expect("the plugin takes jobs");
        assert!(courier.serves(&bob) && !courier.serves(&Address::new(Kind::Room, "a", "")));
        let job = Job {
            id: JobId(5),
            user: juliet(),
            account: None,
            to: vec![bob],
            message: Outgoing::text(Place::Contact("bob".into()), body.to_owned()),
            attempt,
            kept: None,
            peer_kept: None,
        };
        let up: Arc<dyn Uplink> = self.host.clone();
        courier.submit(job, up);
    }

    async fn asked(&mut self) -> Asked {
        let asked = tokio::time::timeout(DEADLINE, self.asked.recv()).await;
        asked.expect("in time").expect("the host lives")
    }

    async fn state(&mut self) -> State {
        loop {
            if let Asked::Report(Report { state, .. }) = self.asked().await {
                return state;
            }
        }
    }
}

#[tokio::test]
async fn a_job_is_begun_reported_and_answered() {
    let mut bench = Bench::start(false).await;
    bench.submit("hello", 0);
    assert_eq!(bench.asked().await, Asked::Begin(JobId(5), 0));
    assert_eq!(bench.state().await, State::Accepted);
    let Asked::Deliver(batch) = bench.asked().await else {
        panic!("not a delivery");
    };
    assert_eq!(batch[0].message.body, "re: hello");
    assert_eq!(bench.state().await, State::Delivered);
}

#[tokio::test]
async fn a_job_that_has_not_begun_when_the_plugin_ends_is_tried_again() {
    let mut bench = Bench::start(false).await;
    bench.submit("die", 0);
    assert!(matches!(bench.state().await, State::Retry { .. }));
    // The plugin says when it is there again.
    let Asked::Deliver(batch) = bench.asked().await else {
        panic!("not a delivery");
    };
    assert_eq!(batch[0].message.body, "here again");
    bench.submit("die", 1);
    assert_eq!(bench.asked().await, Asked::Begin(JobId(5), 0));
    assert_eq!(bench.state().await, State::Accepted);
    assert_eq!(bench.state().await, State::Delivered);
}

#[tokio::test]
async fn a_job_that_has_begun_when_the_plugin_ends_is_unknown_unless_it_may_be_sent_twice() {
    let mut bench = Bench::start(false).await;
    bench.submit("begin and die", 0);
    assert_eq!(bench.state().await, State::Unknown);
    let mut bench = Bench::start(true).await;
    bench.submit("begin and die", 0);
    assert!(matches!(bench.state().await, State::Retry { .. }));
}

#[tokio::test]
async fn a_job_can_be_taken_back_or_refused() {
    let mut bench = Bench::start(false).await;
    let courier = bench.exec.clone();
    bench.submit("refuse", 0);
    assert!(matches!(bench.state().await, State::Failed(_)));
    bench.submit("wait", 0);
    let courier = courier.courier().expect("the plugin takes jobs");
    assert!(courier.recall(JobId(5)).await);
    assert!(!courier.recall(JobId(5)).await, "it is not there any more");
    bench.host.recall(JobId(5));
    bench.submit("hello", 0);
    assert_eq!(bench.asked().await, Asked::Begin(JobId(5), 0));
    bench.submit("wait", 0);
    assert!(
        bench.asked.try_recv().is_err(),
        "what was taken back is not sent"
    );
}

#[tokio::test]
async fn a_plugin_keeps_values_and_hands_over_files_of_its_spool_alone() {
    let mut bench = Bench::start(false).await;
    bench.submit("keep", 0);
    assert_eq!(bench.asked().await, Asked::Begin(JobId(5), 0));
    assert_eq!(bench.state().await, State::Accepted);
    let Asked::Deliver(batch) = bench.asked().await else {
        panic!("not a delivery");
    };
    let told = batch[0]
        .message
        .body
        .strip_prefix("re: ")
        .expect("an answer");
    let told: serde_json::Value = serde_json::from_str(told).expect("JSON");
    // The file is gone when it is kept; what lies outside cannot be had.
    let nothing = serde_json::Value::Null;
    let expected = serde_json::json!([
        nothing,
        [7],
        "a.png image/png bytes",
        ["link"],
        [nothing, nothing, nothing, nothing]
    ]);
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_plugin_reads_a_file_into_a_new_one_of_its_spool_and_nowhere_else() {
    let mut bench = Bench::start(false).await;
    bench.submit("read", 0);
    assert_eq!(bench.asked().await, Asked::Begin(JobId(5), 0));
    assert_eq!(bench.state().await, State::Accepted);
    let Asked::Deliver(batch) = bench.asked().await else {
        panic!("not a delivery");
    };
    let body = batch[0].message.body.strip_prefix("re: ");
    let told: serde_json::Value = serde_json::from_str(body.expect("an answer")).expect("JSON");
    let nothing = vec![serde_json::Value::Null; 7];
    let expected = serde_json::json!([{ "size": 5 }, "bytes", nothing, ["f2", "link"]]);
    assert_eq!(told, expected);
}
