//! The machine, line by line.

mod asking;
mod job;
mod talking;

use std::task::Waker;
use std::time::{Duration, Instant};

use isthmus_gateway::{
    Command, Credit, Event, Fault, FaultKind, Outgoing, Place, Settings, Sink, Tag, User, UserId,
};
use serde_json::{Value, json};

use super::{Machine, SessionId};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A machine with a clock and the plugin's end of the wire.
struct Bench {
    machine: Machine,
    now: Instant,
}

struct Collect(Vec<Value>);

impl Sink for Collect {
    fn event(&mut self, event: Event<'_>) {
        let value = serde_json::to_value(event);
        self.0.push(value.expect("an event is serialisable"));
    }
}

impl Bench {
    fn new(credit: u32, idempotent: bool) -> Self {
        let machine = Machine::new(credit, TIMEOUT, idempotent);
        let now = Instant::now();
        let mut bench = Self { machine, now };
        bench.machine.up(now);
        bench
    }

    /// A session that the plugin has opened, and its number on the wire.
    fn session(&mut self) -> (SessionId, u64) {
        let id = self
            .machine
            .open(&juliet(), None, ("", &Settings::default(), None), self.now);
        let wire = self.accept();
        (id, wire)
    }

    /// Answers the next `session.open`.
    fn accept(&mut self) -> u64 {
        let open = self.read();
        assert_eq!(open["method"], "session.open");
        self.answer(&open, json!({}));
        open["params"]["session"].as_u64().expect("a number")
    }

    /// What the plugin reads next.
    fn read(&mut self) -> Value {
        self.try_read().expect("there is a line")
    }

    fn try_read(&mut self) -> Option<Value> {
        let line = self.machine.next_line()?;
        Some(serde_json::from_str(&line).expect("a line is JSON"))
    }

    /// What the plugin writes.
    fn write(&mut self, line: &Value) -> Result<(), String> {
        self.machine.line(line.to_string().as_bytes(), self.now)
    }

    fn answer(&mut self, request: &Value, result: Value) {
        let line = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        self.write(&line).expect("a sound answer");
    }

    fn refuse(&mut self, request: &Value, data: Value) {
        let error = json!({ "code": -32000, "message": "no", "data": data });
        let line = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
        self.write(&line).expect("a sound answer");
    }

    fn event(&mut self, session: u64, ev: Value) -> Result<(), String> {
        let params = json!({ "session": session, "ev": ev });
        self.write(&json!({ "jsonrpc": "2.0", "method": "event", "params": params }))
    }

    fn typing(&mut self, session: u64) {
        let ev = json!({
            "type": "typing", "at": { "contact": "bob" }, "who": { "nick": "bob" }, "on": true,
        });
        self.event(session, ev).expect("a sound event");
    }

    fn say(&mut self, id: SessionId, tag: u32) {
        let message = Outgoing::text(Place::Contact("bob".into()), "hello");
        self.machine
            .command(id, Tag(tag), &Command::Send(message), self.now);
    }

    /// What the session is told now.
    fn told(&mut self, id: SessionId, credit: Credit) -> Vec<Value> {
        let mut sink = Collect(Vec::new());
        for told in self.machine.take(id, credit, Waker::noop()) {
            told.tell(&mut sink);
        }
        sink.0
    }

    fn types(&mut self, id: SessionId) -> Vec<String> {
        let told = self.told(id, Credit::Events(u32::MAX));
        let kind = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
        told.iter().map(kind).collect()
    }

    fn down(&mut self) {
        let fault = Fault::new(FaultKind::NetworkDown, "gone");
        let wait = Some(Duration::from_secs(2));
        self.machine.down(&fault, wait, self.now);
    }
}

fn juliet() -> User {
    User {
        id: UserId(1),
        local: "juliet".into(),
        domain: "capulet.example".into(),
        lang: "en".into(),
        region: String::new(),
    }
}
