//! An exec courier (`courier.py`) whose network lives in this test, beyond a TCP connection: it
//! counts what arrives, says what became of it, and says again what was not taken.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use isthmus_test_support::paths;
use isthmus_test_support::xmpp_server::Kind;

use super::disk::{ACCEPTED, BEGUN, DELIVERED, FAILED, INBOUND, QUEUED, READ, RECALLED, UNKNOWN};
use super::{Arrival, Network, kill};
use crate::world::World;

const FAR: &str = "far.localhost";
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/kill/courier.py");

/// What the network knows.
#[derive(Debug, Default)]
struct Known {
    /// What came, with the job it was.
    out: Vec<(String, String)>,
    /// Lines the plugin has not taken yet, by number.
    open: BTreeMap<u64, String>,
    lines: u64,
    /// What is said with the next message that comes, or when nothing comes any more.
    later: Vec<String>,
    acknowledged: BTreeSet<String>,
    /// The plugin's end.
    connection: Option<TcpStream>,
}

impl Known {
    fn say(&mut self, line: &str) {
        self.lines += 1;
        let line = format!("{} {line}\n", self.lines);
        if let Some(connection) = &mut self.connection {
            // What does not reach this process is said to the next one.
            let _ = connection.write_all(line.as_bytes());
        }
        self.open.insert(self.lines, line);
    }

    fn say_later(&mut self) {
        for line in std::mem::take(&mut self.later) {
            self.say(&line);
        }
    }

    /// Another process of the plugin is there.
    fn connected(&mut self, mut connection: TcpStream) {
        for line in self.open.values() {
            let _ = connection.write_all(line.as_bytes());
        }
        self.connection = Some(connection);
    }

    fn hear(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("ok ") {
            let number = number.parse().expect("a number of ours");
            let line = self.open.remove(&number);
            let text = line.as_deref().and_then(|line| line.split_once(" in "));
            let text = text.map(|(_, text)| text.trim_end().to_owned());
            self.acknowledged.extend(text);
            return;
        }
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (out, job, to, text) = (word(), word(), word(), word());
        assert_eq!(out, "out", "{line}");
        self.say_later();
        let states: &[&str] = match to.as_str() {
            "reader" => &["accepted", "delivered", "read"],
            "nobody" => &["failed"],
            "lost" => &["unknown"],
            "returned" => &["accepted", "failed"],
            "slow" => {
                self.later.push(format!("state {job} delivered"));
                &["accepted"]
            }
            _ => &["accepted", "delivered"],
        };
        for state in states {
            self.say(&format!("state {job} {state}"));
        }
        self.out.push((text, job));
    }
}

/// The network.
struct Far(Arc<Mutex<Known>>);

impl Far {
    /// It listens on a port of 127.0.0.1.
    fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let known = Arc::new(Mutex::new(Known::default()));
        let this = Self(Arc::clone(&known));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let reader = connection.try_clone().expect("a descriptor");
                lock(&known).connected(connection);
                let known = Arc::clone(&known);
                thread::spawn(move || {
                    let lines = BufReader::new(reader).lines();
                    for line in lines.map_while(Result::ok) {
                        lock(&known).hear(&line);
                    }
                });
            }
        });
        (this, port)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().expect("no holder of the lock panics")
}

impl Network for Far {
    const NAME: &'static str = "plugin";
    const DOMAIN: &'static str = FAR;
    const RECIPIENTS: &'static [&'static str] = &[
        "bob@far.localhost",
        "slow@far.localhost",
        "reader@far.localhost",
        "nobody@far.localhost",
        "lost@far.localhost",
        "returned@far.localhost",
    ];
    const STATES: &'static [i64] = &[
        QUEUED, BEGUN, UNKNOWN, ACCEPTED, DELIVERED, READ, FAILED, RECALLED, INBOUND,
    ];

    async fn write(&mut self, texts: &[String]) {
        let mut known = lock(&self.0);
        for text in texts {
            known.say(&format!("in {text}"));
        }
    }

    async fn is_quiet(&mut self) -> bool {
        let mut known = lock(&self.0);
        known.say_later();
        known.open.is_empty()
    }

    fn arrived(&self) -> Option<Vec<Arrival>> {
        let known = lock(&self.0);
        let arrival = |(text, job): &(String, String)| Arrival {
            text: text.clone(),
            identity: Some(job.clone()),
        };
        Some(known.out.iter().map(arrival).collect())
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        lock(&self.0).acknowledged.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_plugin_loses_nothing_and_doubles_only_what_was_begun() {
    let (far, port) = Far::start();
    let gateway = format!(
        r#"
[gateway.far]
kind = "exec"
domain = "{FAR}"
allow = ["localhost"]
exec = ["{python}", "{PLUGIN}"]

[gateway.far.config]
port = {port}
"#,
        python = paths::need("usr/bin/python3").display(),
    );
    let world = World::serving(Kind::Prosody, &[FAR], &gateway);
    kill(world, far, 12, 100).await;
}
